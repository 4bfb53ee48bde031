"""nginx as a plain proxy: the floor for anything that stands between a client and a provider."""

import os
import shutil
import subprocess

from typing_extensions import override

from bench.peers.peer import HOST, UPSTREAM_CONNECTIONS, Peer, Site, Start
from bench.posts import PASSED

PLACES = ("/usr/sbin", "/usr/local/sbin")
"""Where it may be although a user's PATH does not say so."""
_CONFIG = """\
{user}daemon off;
worker_processes 1;
pid {tmp}/nginx.pid;
error_log {tmp}/nginx.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_buffer_size 256k;
  client_body_temp_path {tmp}/body;
  proxy_temp_path {tmp}/proxy;
  fastcgi_temp_path {tmp}/fastcgi;
  uwsgi_temp_path {tmp}/uwsgi;
  scgi_temp_path {tmp}/scgi;
  keepalive_requests 100000000;
  upstream mock {{
    server {host}:{mock};
    keepalive {connections};
    keepalive_requests 100000000;
  }}
  server {{
    listen {host}:{port} backlog=1024;
    location / {{
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


class Nginx(Peer):
    """One worker under a master, both on the proxy's core."""

    @override
    def missing(self) -> str:
        return "" if program() else "nginx is not installed (Debian: apt-get install nginx-light)"

    @override
    def version(self) -> str:
        done = subprocess.run(
            [program(), "-v"], capture_output=True, text=True, timeout=20, check=False
        )
        return done.stderr.strip().rpartition("/")[2] or "unknown"

    @override
    def start(self, site: Site) -> Start:
        config = site.folder / "nginx.conf"
        config.write_text(
            _CONFIG.format(
                user="user root;\n" if os.geteuid() == 0 else "",
                tmp=site.folder,
                host=HOST,
                port=site.port,
                mock=site.upstream,
                connections=UPSTREAM_CONNECTIONS,
            )
        )
        log = str(site.folder / "nginx.log")
        return Start(
            [program() or "nginx", "-p", str(site.folder), "-c", str(config), "-e", log],
            ready="/healthz/ready",
        )


def program() -> str:
    """Where nginx is; empty: nowhere."""
    return shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), *PLACES])) or ""


NGINX = Nginx(
    name="nginx",
    title="nginx",
    about="A plain proxy that knows nothing of models: one worker, no log, no buffering of replies, "
    "request bodies kept in memory, 512 kept connections to the provider; it passes replies on "
    "untouched.",
    kinds=PASSED,
)
