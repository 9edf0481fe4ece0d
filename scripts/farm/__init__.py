"""The farm: campaigns over phones, hosts and this machine (`python -m scripts.farm`). Imports no torch."""
