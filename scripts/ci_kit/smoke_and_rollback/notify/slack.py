"""A message through a Slack webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks)."""

from __future__ import annotations

from ci_kit.smoke_and_rollback.notify.event import Event, Kind, NotTold
from ci_kit.smoke_and_rollback.notify.web import Web

# What a living webhook answers to a message without a text; a dead one answers 403, 404 or 410.
_REFUSES_NOTHING = {"no_text", "invalid_payload", "missing_text_or_fallback_or_attachments"}
_MOST_CHARACTERS = 3000
_SIGNS = {Kind.PROMOTED: ":white_check_mark:", Kind.ROLLED_BACK: ":rewind:", Kind.HELD: ":hand:"}


class Slack:
    """`url` is the secret: whoever knows it can write."""

    name = "slack"
    reaches_people = True

    def __init__(self, web: Web, url: str) -> None:
        self._web = web
        self._url = url

    def check(self) -> None:
        """A message without a text is refused by a webhook that works, and shown to nobody."""
        answer = self._web.ask("POST", self._url, {"text": ""})
        said = answer.text.strip()[:60]
        if answer.status != 200 and not (answer.status == 400 and said in _REFUSES_NOTHING):
            raise NotTold(f"the webhook answers {answer.status} {said}")

    def send(self, event: Event) -> None:
        """One message."""
        rows = [f"{_SIGNS.get(event.kind, ':rotating_light:')} *{_plain(event.headline)}*"]
        rows += [f"*{name}*: {_plain(value)}" for name, value in event.lines]
        answer = self._web.ask("POST", self._url, {"text": "\n".join(rows)[:_MOST_CHARACTERS]})
        if answer.status != 200:
            raise NotTold(f"the webhook answers {answer.status} {answer.text.strip()[:60]}")


def _plain(text: str) -> str:
    """Slack's own escaping: without it `<!channel>` in a branch's name would call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
