"""`goprobe help`: a command's options, the words that reports use, the manual page."""

from __future__ import annotations

from typing import Annotated

from goprobe.cli.declare import Argument

_WIDTH = 80


class Help:
    name = "help"
    takes_program_args = False

    def run(
        self,
        *,
        topic: Annotated[
            str, Argument(metavar="TOPIC", help="A command, a topic, or man (the manual page).")
        ] = "",
    ) -> int:
        """Explain a command, or a topic: the words that reports use, verdicts, exit codes.

        Without TOPIC it lists what there is.
        """
        import shutil

        from goprobe.cli import COMMANDS
        from goprobe.cli.manual import TOPICS, topic_lines

        if topic == "man":
            from goprobe.cli.manpage import manpage

            print(manpage(COMMANDS), end="")
            return 0
        if topic in TOPICS:
            width = min(shutil.get_terminal_size((_WIDTH, 24)).columns, _WIDTH)
            print("\n".join(topic_lines(topic, width)))
            if any(command.name == topic for command in COMMANDS):
                print(f"\nThe command of that name: goprobe {topic} --help")
            return 0
        return _command_or_list(topic)


def _command_or_list(topic: str) -> int:
    from goprobe.cli import COMMANDS
    from goprobe.cli.manual import TOPICS
    from goprobe.cli.parse import parse

    names = [command.name for command in COMMANDS]
    if topic in names:
        return parse([topic, "--help"], COMMANDS)()
    if topic:
        from difflib import get_close_matches  # for mistakes only

        from goprobe.errors import UsageError

        near = get_close_matches(topic, [*names, *TOPICS, "man"])
        raise UsageError(
            f"there is no topic {topic!r}",
            hint=f"nearest: {', '.join(near)}" if near else "goprobe help lists them",
        )
    code = parse(["--help"], COMMANDS)()
    print("\nTopics (goprobe help TOPIC):")
    for name, (title, _) in TOPICS.items():
        print(f"  {name:<12}{title}")
    print(f"  {'man':<12}The manual page: goprobe help man | man -l -")
    return code
