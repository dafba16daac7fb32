//! Against real MySQL, Kafka and Redis.
