// wiregen SCHEMA-FOLDER OUTPUT-FOLDER [FORMATTER-COMMAND]: turns every schema text into C++ (see
// src/wire/schema/README.md). A file is written only if its content changes, so that a change of one schema
// recompiles one API.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "emit.hpp"

namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
  std::ifstream input(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(input), {}};
}

void write_file(const fs::path& path, const std::string& content) {
  fs::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << content;
  out.close();
  if (!out) throw wiregen::SchemaError(path.string() + ": cannot be written");
}

// The folder that generated files go to. What was emitted is kept beside it, unformatted, to compare with
// next time.
class Output {
 public:
  explicit Output(fs::path folder) : folder_(std::move(folder)) {}

  void write(const std::string& name, const std::string& content) {
    const fs::path emitted = folder_ / "emitted" / name;
    const fs::path path = folder_ / name;
    if (fs::exists(path) && content_of(emitted) == content) return;
    write_file(path, content);
    write_file(emitted, content);
    if (!name.ends_with(".dict")) changed_ += " '" + path.string() + "'";
  }

  void format(const std::string& formatter) const {
    if (changed_.empty() || formatter.empty()) return;
    // Generated code is as good unformatted, so a formatter that fails is no error.
    if (std::system((formatter + " -i" + changed_).c_str()) != 0) {
      std::fprintf(stderr, "wiregen: generated files stay unformatted\n");
    }
  }

 private:
  fs::path folder_;
  std::string changed_;
};

std::vector<wiregen::SchemaFile> parse_folder(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".txt") paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  std::vector<wiregen::SchemaFile> files;
  for (const fs::path& path : paths) files.push_back(wiregen::parse_schema(path.string()));
  return files;
}

void generate(const fs::path& schema, Output& out) {
  std::vector<wiregen::SchemaFile> files = parse_folder(schema / "api");
  for (wiregen::SchemaFile& file : parse_folder(schema / "data")) files.push_back(std::move(file));
  for (const wiregen::SchemaFile& file : files) {
    const std::string folder = file.api ? "api" : "data";
    if (file.api) {
      std::vector<const wiregen::Message*> both{&file.messages[0], &file.messages[1]};
      out.write("wire/api/" + file.stem + ".hpp", wiregen::message_header(file, both));
    } else {
      for (const wiregen::Message& message : file.messages) {
        const std::string name = wiregen::snake_case(message.name) + ".hpp";
        out.write("wire/data/" + name, wiregen::message_header(file, {&message}));
      }
    }
    out.write("wire/" + folder + "/" + file.stem + ".cpp", wiregen::message_source(file));
    out.write("wire/example/" + file.stem + ".cpp", wiregen::example_source(file));
  }
  out.write("wire/api_key.hpp", wiregen::api_key_header(files));
  out.write("wire/api_table.cpp", wiregen::api_table_source(files));
  out.write("wire/example/list.cpp", wiregen::example_list_source(files));
  out.write("wire/wire.dict", wiregen::fuzz_dictionary(files));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "usage: wiregen SCHEMA-FOLDER OUTPUT-FOLDER [FORMATTER-COMMAND]\n");
    return 2;
  }
  try {
    Output out(argv[2]);
    generate(argv[1], out);
    out.format(argc == 4 ? argv[3] : "");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "wiregen: %s\n", error.what());
    return 1;
  }
  return 0;
}
