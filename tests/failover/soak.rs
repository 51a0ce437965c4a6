//! Many clients, providers that fail at random.
