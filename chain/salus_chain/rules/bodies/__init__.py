"""What each signer may ask of the chain: the bodies of transactions, a file for each kind of signer."""
