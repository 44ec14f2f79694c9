//! Secure three-party computation: parties, rounds, randomness, cost, and one folder a suite
