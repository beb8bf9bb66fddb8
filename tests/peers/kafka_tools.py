"""Apache Kafka's own command line tools: they read the files of a stopped Tailwater broker.

Fetched with Maven on first use into build/peers (PEERS_CACHE), and started from there without a network.
"""

import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
LIMIT_S = 120


def fetch():
    """The folder with the jars of the tools, fetched if need be."""
    pom = HERE / "kafka-tools-pom.xml"
    folder = pathlib.Path(os.environ.get("PEERS_CACHE", HERE / "../../build/peers")).resolve() / "kafka-tools"
    stamp = folder / "stamp"
    if not stamp.exists() or stamp.read_text() != pom.read_text():
        shutil.rmtree(folder / "lib", ignore_errors=True)
        (folder / "lib").mkdir(parents=True)
        subprocess.run(["mvn", "-q", "-B", "-f", str(pom),
                        "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
                        f"-DoutputDirectory={folder / 'lib'}", "-DincludeScope=runtime"], check=True)
        stamp.write_text(pom.read_text())
    return folder / "lib"


def dump(libraries, files, *options):
    """Kafka's DumpLogSegments over files of one folder: its exit code and what it printed."""
    done = subprocess.run(["java", "-XX:TieredStopAtLevel=1", "-cp", f"{libraries}/*",
                           "org.apache.kafka.tools.DumpLogSegments",
                           "--files", ",".join(str(path) for path in files), *options],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S)
    return done.returncode, done.stdout.decode(errors="replace")
