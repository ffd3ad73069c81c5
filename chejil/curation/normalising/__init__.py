"""One form for one text: characters, spaces, mojibake."""
