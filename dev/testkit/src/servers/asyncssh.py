"""AsyncSSH as a server: one user, logins as asked for, SFTP below one directory.

Its one argument is JSON: home, host_key (a file), user_key (a public key's line), user, password, and
  methods     of publickey, password, keyboard-interactive: what is offered
  all         whether every one of them is needed, in this order
  questions   what keyboard-interactive asks: rounds of [text, shown]
  signatures  by what a login's key may sign; everything where there is none
  serves      of sftp, sftp read-only and nothing

It says "listening on PORT", and a line for every password that it is given. To each SIGUSR1 it says "asked N", the N-th
time: whoever has read that has read all that was said before.
"""

import asyncio
import itertools
import json
import signal
import sys

import asyncssh
from asyncssh.connection import SSHServerConnection

options = json.loads(sys.argv[1])
SUCCESS = SSHServerConnection.send_userauth_success
METHODS = {
    "_ServerPublicKeyAuth": "publickey",
    "_ServerPasswordAuth": "password",
    "_ServerKbdIntAuth": "keyboard-interactive",
}


async def send_userauth_success(self):
    """Partial success (RFC 4252 section 5.1), which AsyncSSH itself does not answer."""
    server = self.get_owner()
    server.left.remove(METHODS[type(self._auth).__name__])
    if options["all"] and server.left:
        self.send_userauth_failure(True)
    else:
        await SUCCESS(self)


SSHServerConnection.send_userauth_success = send_userauth_success


class Server(asyncssh.SSHServer):
    def __init__(self):
        self.left = list(options["methods"])
        self.round = 0

    def offers(self, method):
        return method in (self.left[:1] if options["all"] else self.left)

    def begin_auth(self, username):
        return True

    def public_key_auth_supported(self):
        return self.offers("publickey")

    def validate_public_key(self, username, key):
        public = asyncssh.import_public_key(options["user_key"])
        return username == options["user"] and key.public_data == public.public_data

    def password_auth_supported(self):
        return self.offers("password")

    def validate_password(self, username, password):
        return self.judge(username, password)

    def kbdint_auth_supported(self):
        return self.offers("keyboard-interactive")

    def get_kbdint_challenge(self, username, lang, submethods):
        self.round = 0
        return "", "", "", [tuple(it) for it in options["questions"][0]]

    def validate_kbdint_response(self, username, responses):
        if not all(self.judge(username, response) for response in responses):
            return False
        self.round += 1
        if self.round < len(options["questions"]):
            return "", "", "", [tuple(it) for it in options["questions"][self.round]]
        return True

    @staticmethod
    def judge(username, password):
        right = username == options["user"] and password == options["password"]
        print("password", "right" if right else "wrong", flush=True)
        return right


class ReadOnly(asyncssh.SFTPServer):
    def open(self, path, pflags, attrs):
        if pflags & (asyncssh.FXF_WRITE | asyncssh.FXF_CREAT):
            raise asyncssh.SFTPPermissionDenied("read-only")
        return super().open(path, pflags, attrs)


def serves():
    if options["serves"] == "nothing":
        return None
    server = ReadOnly if options["serves"] == "sftp read-only" else asyncssh.SFTPServer
    return lambda channel: server(channel, chroot=options["home"])


async def main():
    listener = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=Server,
        server_host_keys=[options["host_key"]],
        sftp_factory=serves(),
        signature_algs=options["signatures"] or (),
    )
    times = itertools.count(1)
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGUSR1, lambda: print("asked", next(times), flush=True)
    )
    print("listening on", listener.get_port(), flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
