// power_file_system FOLDER [MICROSECONDS]: mounts the file system on the folder; a sync takes so long. It
// says "ready" and then obeys standard input, line by line, and unmounts when that ends:
//   cut SEED PROCESS   kills the process (0: none) and cuts the power, in one moment; says how many sectors,
//                      changes of size and changes of names were lost
//   on                 the power is back: programs may start again. REQUIRES: the killed one is waited for
//   counts             how many durable writes and syncs there were
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>

#include "power/mount.hpp"

namespace {

using tailwater::power::FileSystem;

void obey(FileSystem& files, const std::string& line) {
  std::istringstream words(line);
  std::string command;
  words >> command;
  if (command == "cut") {
    std::uint64_t seed = 0;
    pid_t process = 0;
    words >> seed >> process;
    const auto losses = files.cut(seed, [process] {
      if (process > 0) ::kill(process, SIGKILL);
    });
    std::cout << "lost " << losses.sectors << ' ' << losses.sizes << ' ' << losses.names << std::endl;
  } else if (command == "on") {
    files.power_on();
    std::cout << "on" << std::endl;
  } else if (command == "counts") {
    std::cout << "counts " << files.durable_writes() << ' ' << files.syncs() << std::endl;
  } else {
    std::cout << "what?" << std::endl;
  }
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count < 2 || argument_count > 3) {
    std::cerr << "usage: power_file_system FOLDER [MICROSECONDS that a sync takes]\n";
    return 2;
  }
  tailwater::power::MountOptions options{.at = arguments[1]};
  if (argument_count == 3) options.sync_takes = std::chrono::microseconds(std::atoi(arguments[2]));
  // Only the end of standard input ends it: a signal that a whole group gets would take the disk from under a
  // broker.
  ::signal(SIGINT, SIG_IGN);
  FileSystem files;
  const int error = serve(files, options, [&files, &options] {
    std::thread([&files, &options] {
      std::cout << "ready" << std::endl;
      for (std::string line; std::getline(std::cin, line);) obey(files, line);
      // Whoever still uses it gets errors from now on.
      if (::umount2(options.at.c_str(), MNT_DETACH) != 0)
        std::cerr << "power_file_system: " << std::strerror(errno) << '\n';
      std::_Exit(0);
    }).detach();
  });
  if (error != 0)
    std::cerr << "power_file_system: cannot mount " << options.at << ": " << std::strerror(error) << '\n';
  return error == 0 ? 0 : 1;
}
