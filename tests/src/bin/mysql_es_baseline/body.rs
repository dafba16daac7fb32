//! The body of `POST /v1/movies`, as command-api reads it; a movie comes without streams and captions.

use marquee_domain::{
    MovieId,
    movie::CreateMovie,
    values::{
        AvailabilityWindow, DurationMinutes, Genres, PosterUrl, Slug, Synopsis, Title, Visibility,
    },
};
use marquee_infra::http::{Fields, Problem};
use serde_json::Value;

pub fn movie_to_create(body: Value, movie_id: MovieId) -> Result<CreateMovie, Problem> {
    let mut fields = Fields::of_body(body)?;
    let title = fields.required_str("title", Title::parse);
    let synopsis = fields.required_str("synopsis", Synopsis::parse);
    let genres = fields.required_strings("genres", Genres::parse);
    let duration_minutes = fields.required_u64("duration_minutes", DurationMinutes::parse);
    let start = fields.required_instant("availability_start");
    let end = fields.required_instant("availability_end");
    let visibility = fields.optional_str("visibility", Visibility::parse);
    let poster_url = fields.required_str("poster_url", PosterUrl::parse);
    let availability = start.zip(end).and_then(|(start, end)| {
        AvailabilityWindow::new(start, end)
            .map_err(|error| fields.error("availability_end", error))
            .ok()
    });
    let movie = title.and_then(|title| {
        Some(CreateMovie {
            movie_id,
            slug: Slug::from_title(&title),
            title,
            synopsis: synopsis?,
            genres: genres?,
            duration_minutes: duration_minutes?,
            availability: availability?,
            visibility: visibility.unwrap_or(Visibility::Hidden),
            poster_url: poster_url?,
            stream_sources: Vec::new(),
            caption_tracks: Vec::new(),
        })
    });
    fields.finish(movie)
}
