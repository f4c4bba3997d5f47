"""What a block does to the state: transactions, who may sign them, rounds and settlements. Pure."""
