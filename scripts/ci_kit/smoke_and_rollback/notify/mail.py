"""A message by SMTP."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from ci_kit.smoke_and_rollback.notify.event import Event, NotTold
from ci_kit.smoke_and_rollback.spec import Email as Settings

TIMEOUT_SECONDS = 15.0


class Email:
    """Certificates are verified, and without encryption nobody logs in."""

    name = "email"
    reaches_people = True

    def __init__(self, settings: Settings, context: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._context = context or ssl.create_default_context()

    def check(self) -> None:
        """Log in, name sender and receivers, and take it back before there is a message."""
        with self._server() as server:
            code, _ = server.mail(self._settings.sender)
            if code != 250:
                raise NotTold(f"the server refuses the sender ({code})")
            refused = [code for to in self._settings.to if (code := server.rcpt(to)[0]) not in {250, 251}]
            if len(refused) == len(self._settings.to):
                raise NotTold(f"the server refuses every receiver ({refused[0]})")
            server.rset()

    def send(self, event: Event) -> None:
        """One message to all; who sends it twice sends it with the same Message-ID."""
        message = EmailMessage()
        message["Subject"] = " ".join(event.headline.split())
        message["From"] = self._settings.sender
        message["To"] = ", ".join(self._settings.to)
        message["Message-ID"] = f"<ci-kit-{event.marker}@{self._settings.sender.partition('@')[2]}>"
        message["Date"] = event.at
        message["Auto-Submitted"] = "auto-generated"
        rows = (f"{name}: {value}" for name, value in event.lines)
        message.set_content("\n\n".join((f"{event.headline}.", *rows)) + "\n")
        with self._server() as server:
            server.send_message(message)

    @contextmanager
    def _server(self) -> Iterator[smtplib.SMTP]:
        of = self._settings
        try:
            with self._connected() as server:
                if of.security == "starttls":
                    server.starttls(context=self._context)
                if of.user is not None and of.password is not None:
                    server.login(of.user, of.password)
                yield server
        except smtplib.SMTPResponseException as error:
            raise NotTold(f"{of.host} answers {error.smtp_code} ({type(error).__name__})") from None
        except OSError as error:  # SMTPException is one; its text can hold what was sent
            why = error.strerror or type(error).__name__
            raise NotTold(f"{of.host}:{of.port}: {why}") from None

    def _connected(self) -> smtplib.SMTP:
        of = self._settings
        if of.security == "tls":
            return smtplib.SMTP_SSL(of.host, of.port, timeout=TIMEOUT_SECONDS, context=self._context)
        return smtplib.SMTP(of.host, of.port, timeout=TIMEOUT_SECONDS)
