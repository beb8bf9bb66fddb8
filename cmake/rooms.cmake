# A room is a folder of src/ and one static library. What a room may include is exactly what it
# declares: each room's headers are reachable only through a folder of its own (rooms/<room>/), which
# is on the include path of the rooms that USE it and of no other. Three checks stand behind that:
#   - the compiler does not find the header of a room that was not declared;
#   - the link test links the whole room with nothing but its declared uses;
#   - a PURE room's objects may not refer to clocks, sockets, files, threads and the like
#     (tools/purity.sh), and are compiled without exceptions.
#
# tailwater_room(core/log PURE USES core/journal records LIBRARIES lz4)
#   sources: every *.cpp of the folder that is no test; tests: every *_test.cpp, one program per room.
#   A room with generated files names them as SOURCES, and the folder of its generated headers as INCLUDES.
function(tailwater_room room)
  cmake_parse_arguments(ROOM "PURE" "" "USES;LIBRARIES;PRIVATE_LIBRARIES;SOURCES;INCLUDES" ${ARGN})
  string(REPLACE "/" "_" name ${room})
  set(folder ${CMAKE_SOURCE_DIR}/src/${room})
  set(target tailwater_${name})

  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp ${folder}/*/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(APPEND sources ${ROOM_SOURCES})
  if(NOT sources)
    set(empty ${CMAKE_BINARY_DIR}/rooms/${name}_empty.cpp)
    if(NOT EXISTS ${empty})
      file(WRITE ${empty} "")
    endif()
    set(sources ${empty})
  endif()

  set(doorway ${CMAKE_BINARY_DIR}/rooms/${name})
  get_filename_component(parent ${doorway}/${room} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  file(CREATE_LINK ${folder} ${doorway}/${room} SYMBOLIC)

  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC ${doorway} ${ROOM_INCLUDES})
  foreach(use IN LISTS ROOM_USES)
    string(REPLACE "/" "_" use_name ${use})
    target_link_libraries(${target} PUBLIC tailwater_${use_name})
  endforeach()
  foreach(library IN LISTS ROOM_LIBRARIES)
    target_link_libraries(${target} PUBLIC tailwater::lib::${library})
  endforeach()
  foreach(library IN LISTS ROOM_PRIVATE_LIBRARIES)
    target_link_libraries(${target} PRIVATE tailwater::lib::${library})
  endforeach()

  if(ROOM_PURE)
    target_compile_options(${target} PRIVATE -fno-exceptions)
    if(NOT TAILWATER_SANITIZE)
      add_custom_command(TARGET ${target} POST_BUILD
        COMMAND ${CMAKE_SOURCE_DIR}/tools/purity.sh $<TARGET_FILE:${target}>
        COMMENT "Purity of ${room}" VERBATIM)
    endif()
  endif()

  if(NOT TAILWATER_SANITIZE)
    # Link test: the whole room, its declared uses, and no undefined symbol.
    file(WRITE ${CMAKE_BINARY_DIR}/rooms/link_test.cpp "")
    add_library(${target}_link_test SHARED EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/rooms/link_test.cpp)
    target_link_libraries(${target}_link_test PRIVATE
      -Wl,--whole-archive $<TARGET_FILE:${target}> -Wl,--no-whole-archive ${target} -Wl,-z,defs)
    add_dependencies(${target}_link_test ${target})
    set_property(GLOBAL APPEND PROPERTY TAILWATER_LINK_TESTS ${target}_link_test)
  endif()

  if(TAILWATER_TESTS AND tests)
    add_executable(${target}_test ${tests})
    target_link_libraries(${target}_test PRIVATE ${target} GTest::gmock_main)
    # Tests check what optimised code does; they need not be fast themselves, but quick to build.
    target_compile_options(${target}_test PRIVATE -O1 -g0)
    add_test(NAME ${room} COMMAND ${target}_test)
  endif()
endfunction()

# Call once, after the last room: `link_tests` builds every room's link test.
function(tailwater_finish_rooms)
  get_property(link_tests GLOBAL PROPERTY TAILWATER_LINK_TESTS)
  add_custom_target(link_tests DEPENDS ${link_tests})
endfunction()
