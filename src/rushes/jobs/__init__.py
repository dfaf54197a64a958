"""The ledger: whatever must be done is a row, claimed under a lease, and committed under the number of its claim."""
