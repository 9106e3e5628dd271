#!/usr/bin/env python3
"""servers.py JUNIT-XML [--write]: the table of docs/servers.md is what the run has shown.

Each test of crates/s3-to-sftp/tests/delivery that has the name of a promise is a cell: its module is the server, and a line
`lacks: …` in its output tells that the promise is kept in the other way that the legend says. A run that does not have all of
them says nothing about the table.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/servers.md"
PROMISES = ROOT / "crates/s3-to-sftp/tests/delivery/promises/mod.rs"
BEGIN, END = "<!-- matrix: `make servers` writes what is below -->", "<!-- /matrix -->"

REAL = {
    "openssh": "OpenSSH",
    "servers::proftpd": "ProFTPD",
    "servers::proftpd_with_allow_overwrite": "ProFTPD, `AllowOverwrite on`",
    "servers::rclone": "Go (rclone)",
    "servers::asyncssh": "AsyncSSH",
    "servers::transfer": "MiniStack's Transfer Family",
}
GUISES = {
    "embedded::openssh_like": "like OpenSSH",
    "embedded::without_extensions": "no extension",
    "embedded::tells_nothing_of_files": "no STAT, no FSTAT",
    "embedded::without_what_can_be_missed": "no SETSTAT, REALPATH, listing",
    "embedded::tight": "small window and packets",
    "embedded::cuts_at_open": "cuts at every OPEN",
    "embedded::renames_over": "RENAME replaces",
}
LEGEND = {
    "SeveralChannels": ("one channel", "the file is written through one channel, whatever `SSH_CHANNELS` says; it is remembered"),
    "GoingOn": (
        "anew",
        "a file cannot be gone on with: after a broken connection it is begun anew, and what does not fit into one invocation fails "
        "with `NoProgress`, its source kept",
    ),
    "Modes": ("no mode", "`SSH_FILE_MODE` has no effect there, which is a warning"),
    "Cutting": ("gap", "`direct` removes an old, longer file before it writes the new one, since the server does not shorten it"),
    "Reopening": ("refused", "`direct` does not write over a file that is there: the delivery fails, and the source is kept"),
    "Telling": (
        "not told",
        "the server does not say whether a file is there, and how long it is: acknowledgements count, the receipt has `size` "
        "`not-told`, and `SSH_ON_CONFLICT=skip` and `fail` refuse, the source kept",
    ),
}


def promises():
    """Their names in the order of the code."""
    macro = PROMISES.read_text().split("macro_rules! promises")[1]
    return [name for names in re.findall(r"=> \w+: ([\w ]+) }", macro) for name in names.split()]


def cells(path):
    """What the run has shown, by server and promise; none for a test that failed."""
    found = {}
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        server, _, promise = case.get("name", "").rpartition("::")
        if case.get("classname") != "s3-to-sftp::delivery":
            continue
        said = re.findall(r"^lacks: (\w+)$", case.findtext("system-out") or "", re.M)
        has_failed = case.find("failure") is not None or case.find("error") is not None
        found[server, promise] = None if has_failed else sorted(set(said), key=list(LEGEND).index)
    return found


def table(servers, found):
    lines = ["| promise | " + " | ".join(servers.values()) + " |", "|---" * (len(servers) + 1) + "|"]
    for promise in promises():
        row = []
        for server in servers:
            lacks = found[server, promise]
            row.append(", ".join(LEGEND[lack][0] for lack in lacks) or "✓")
        lines.append(f"| {promise.replace('_', ' ')} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def main():
    path, write = sys.argv[1], "--write" in sys.argv[2:]
    found = cells(path)
    wanted = [(server, promise) for server in REAL | GUISES for promise in promises()]
    missing = [f"{server}::{promise}" for server, promise in wanted if (server, promise) not in found]
    failed = [f"{server}::{promise}" for server, promise in wanted if found.get((server, promise), []) is None]
    if missing or failed:
        sys.exit(f"servers.py: not run: {', '.join(missing) or 'none'}; failed: {', '.join(failed) or 'none'}")
    legend = "\n".join(f"- *{name}*: {text}." for name, text in LEGEND.values())
    parts = [BEGIN, table(REAL, found), legend, "The embedded server in the guise of others:", table(GUISES, found), END]
    section = "\n\n".join(parts)
    page = PAGE.read_text()
    before, after = page[: page.index(BEGIN)], page[page.index(END) + len(END) :]
    if write:
        PAGE.write_text(before + section + after)
    elif page != before + section + after:
        sys.exit("servers.py: the table of docs/servers.md is not what the run has shown; `make servers` writes it")
    print(f"servers.py: {len(wanted)} cells, as docs/servers.md has them")


main()
