"""The form that asks a browser for the token: one file, nothing loaded from elsewhere."""

LOGIN = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>edge-recognize</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; display: grid; place-items: center; height: 90vh; }
form { display: grid; gap: .8rem; width: min(20rem, 90vw); }
input, button { font: inherit; padding: .5rem .8rem; }
</style>
</head>
<body>
<form method="post" action="login"><label for="token">Token &middot; Kennwort &middot; Clave</label>
<input id="token" name="token" type="password" required autofocus autocomplete="current-password">
<button>edge-recognize</button></form>
</body>
</html>
"""
