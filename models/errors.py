"""The one exception that means "the person who typed this can fix it"."""


class UserError(ValueError):
    """Bad input. The message is one line that names the value, the rule and the choices.

    Command lines print it and exit with code 2; library callers can catch it as a `ValueError`.
    """
