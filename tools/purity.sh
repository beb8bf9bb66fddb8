#!/bin/sh
# Purity of a room: refuses a library whose objects refer to a clock, socket, file, thread, environment,
# locale, random device or a guarded function-local static. Usage: purity.sh LIBRARY.a
set -eu
library=$1
forbidden='^(clock_gettime|gettimeofday|time|clock|nanosleep|usleep|sleep|socket|connect|accept4?|bind|listen|send(to|msg)?|recv(from|msg)?|poll|epoll_.*|select|open(at)?(64)?|creat(64)?|read(v)?|p?write(v)?|pread(v)?(64)?(2)?|pwrite(v)?(64)?(2)?|close|fopen(64)?|fread|fwrite|fclose|fsync|fdatasync|unlink(at)?|rename(at)?|mkdir(at)?|opendir|readdir(64)?|stat(64)?|fstat(64)?|mmap(64)?|ioctl|fork|execve|getenv|secure_getenv|setlocale|newlocale|uselocale|localtime(_r)?|gmtime(_r)?|strftime|rand|srand|random|srandom|rand_r|getrandom|getentropy|arc4random.*|pthread_(create|mutex_.*|cond_.*|rwlock_.*|once|key_create|setspecific|getspecific)|printf|fprintf|vprintf|vfprintf|puts|putchar|__cxa_guard_.*|_ZNSt6thread.*|_ZNSt13random_device.*|_ZNSt6chrono.*clock.*3nowEv|_ZNSt6localeC.*|_ZNSt6locale7classicEv|_ZSt4cout|_ZSt4cerr|_ZSt3cin|_ZNSt8ios_base4InitC1Ev|_ZNSt13basic_f.*stream.*|_ZNSt10filesystem.*|__cxa_throw)$'
found=$(nm -A --undefined-only "$library" 2>/dev/null | awk '{print $NF " " $1}' | sed 's/@[A-Z0-9_.]* / /' |
  grep -E "${forbidden%\$} " || true)
if [ -n "$found" ]; then
  echo "purity: $library is a pure room's library, but its objects refer to:" >&2
  echo "$found" | sed 's/^/  /' >&2
  echo "purity: hand the value in as an input, or ask for the deed as an effect (docs/architecture.md)." >&2
  exit 1
fi
