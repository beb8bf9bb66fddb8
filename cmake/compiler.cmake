# Language level and warnings that hold for every target.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror
                    -Wno-missing-field-initializers -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wno-c99-extensions -Wno-missing-designated-field-initializers)
  add_link_options(-fuse-ld=mold)
else()
  # g++ 12 reports false positives of these in libstdc++ at -O2.
  # Its -Wshadow also counts constructor parameters named like the members that they initialise.
  add_compile_options(-Wno-shadow -Wno-restrict -Wno-stringop-overflow -Wno-maybe-uninitialized -Wno-array-bounds
                      -Wno-dangling-pointer -Wno-stringop-overread -Wno-free-nonheap-object)
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
  # SSE 4.2 (2008) is the oldest machine supported; faster instructions are chosen at run time.
  add_compile_options(-march=x86-64-v2)
endif()

if(TAILWATER_SANITIZE)
  add_compile_options(-fsanitize=${TAILWATER_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${TAILWATER_SANITIZE})
  if(TAILWATER_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()
