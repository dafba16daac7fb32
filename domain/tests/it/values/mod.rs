//! Values: what they take, what they refuse and with which words.

mod availability;
mod duration;
mod genres;
mod ids;
mod language;
mod slug;
mod stream;
mod synopsis;
mod title;
mod urls;
