//! Against real servers: `eval "$(infra/local/stack env --profile test)"` says where they are.

mod relay;
