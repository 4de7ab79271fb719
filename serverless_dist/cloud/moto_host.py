"""The inside of the process of an `EmulatedServer`: moto, until its parent is gone."""

import logging
import os
import select


def main(parent: int) -> None:
    """Serve on a free port, write its number to stdout, end with process `parent`."""
    # Here, not above: it takes most of a second and is an extra.
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    os.write(1, b"%d\n" % port)
    # The parent's end of stdin closes when it ends, however it ends, unless a fork
    # of it holds that end too.
    while os.getppid() == parent and not select.select([0], [], [], 1.0)[0]:
        pass
    os._exit(0)
