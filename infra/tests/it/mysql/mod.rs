//! Migrations and users, on a real MySQL.

mod accounts;
mod migrations;
mod stand;
