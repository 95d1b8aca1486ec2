"""How trials are run, searched and planned: what every optimizer is given alike."""
