// `tailwater serve`: the broker as configured.
#include <memory>

#include "apps/commands.hpp"
#include "apps/run_broker.hpp"

namespace tailwater::apps {

namespace {

struct ServeOptions {
  std::string file;
  std::vector<std::string> overrides;
  std::string log_level;
  bool strict = false;
};

int run_serve(const ServeOptions& options) {
  RunOptions run;
  run.config.file = options.file;
  run.config.environment = shell::current_environment();
  run.config.overrides = options.overrides;
  run.config.strictness = options.strict ? shell::Strictness::strict : shell::Strictness::lenient;
  run.log_level = options.log_level;
  return run_broker(run);
}

}  // namespace

void add_serve_command(Command& tailwater) {
  Command serve = tailwater.command("serve", "Start a broker.", "Broker");
  auto options = std::make_shared<ServeOptions>();
  serve.argument("FILE", options->file,
                 "Configuration in the form of Kafka's server.properties; it may be Kafka's own.");
  serve.repeated("--override", options->overrides, "KEY=VALUE", "Set a key, whatever the file says.");
  serve.flag("--strict", options->strict, "Refuse keys that are not known, instead of warning.");
  serve.option("--log-level", options->log_level, "LEVEL", "debug, info, warning or error.");
  serve.examples(
      "Settings come from --override, then from the environment (KAFKA_<KEY> as for Kafka's images), then "
      "from FILE.\n"
      "Without any, the broker listens on this machine only, at port 9092.\n\n"
      "  tailwater serve /etc/tailwater/server.properties\n"
      "  tailwater serve --override log.dirs=/data --override listeners=PLAINTEXT://0.0.0.0:9092\n\n"
      "SIGTERM stops it cleanly, SIGHUP reads the configuration again. Exit code 0: ended as asked, 1: it "
      "could not\n"
      "serve and said why, 2: wrong usage.");
  serve.action([options] { return run_serve(*options); });
}

}  // namespace tailwater::apps
