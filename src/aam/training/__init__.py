"""How a model is trained and watched."""
