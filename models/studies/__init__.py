"""Studies of choices: what each costs, measured on real layers and what reaches them."""
