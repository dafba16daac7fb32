//! `GET /v1/movies`: what viewers see now; with `visibility=any` and `catalog:read`, everything.

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use marquee_domain::values::{LanguageCode, Title};
use marquee_infra::{
    clock,
    http::{CommonProblems, MaybePrincipal, Problem, ProblemBody, Scope},
};

use super::{
    Freshness, PageCache,
    conditional::Document,
    consistency::{self, Patience},
    openapi::{ListAnswer, ListParameters, ReadHeaders},
    page_cache::Rendered,
    parameters::Parameters,
    require, snapshot,
};
use crate::catalog::{Catalog, CatalogMovie, Cursor, ListQuery, Page, Snapshot, Sort, etag};

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;
const MAX_GENRE_CHARS: usize = 50;

/// The catalog, page by page
///
/// Viewers get what is VISIBLE, inside its availability window now, and playable. With
/// `visibility=any`, `catalog:read` gets all but removed movies, with more members.
#[utoipa::path(
    get, path = "/v1/movies", tag = "catalog",
    params(ListParameters, ReadHeaders),
    responses(
        (status = 200, description = "A page; ETag and Cache-Control say how long it is good for", body = ListAnswer),
        (status = 304, description = "It still has the ETag of If-None-Match"),
        (status = 403, description = "insufficient_scope: visibility=any needs catalog:read", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
    security((), ("bearer" = ["catalog:read"])),
)]
pub(super) async fn list_movies(
    request: HttpRequest,
    catalog: web::Data<Catalog>,
    pages: web::Data<PageCache>,
    freshness: web::Data<Freshness>,
    patience: web::Data<Patience>,
    principal: MaybePrincipal,
) -> Result<HttpResponse, Problem> {
    consistency::wait(&request, &catalog, **patience).await?;
    let snapshot = snapshot(&catalog)?;
    let Some(snapshot) = snapshot.as_ref() else { return Err(super::not_read_yet()) };
    let now = clock::now();

    // What viewers get is the same for all of them, and only that is ever put there.
    let key = request.uri().path_and_query().map_or("", |path| path.as_str());
    let rendered = if let Some(rendered) = pages.get(key, snapshot, now) {
        rendered
    } else {
        let query = read_query(request.query_string())?;
        if query.any_visibility {
            return list_everything(&request, &principal, &query, snapshot, now);
        }
        let page = query.page(snapshot, now);
        let body = render(&page, snapshot, |movie, body| {
            body.extend_from_slice(&movie.document);
            Ok(())
        })
        .map_err(Problem::internal)?;
        pages.put(key, Rendered::new(snapshot, body, page.valid_until))
    };
    let document = Document::public(
        rendered.body.clone(),
        rendered.etag.clone(),
        &freshness,
        rendered.valid_until,
        now,
    );
    Ok(document.respond(&request))
}

fn list_everything(
    request: &HttpRequest,
    principal: &MaybePrincipal,
    query: &ListQuery,
    snapshot: &Snapshot,
    now: DateTime<Utc>,
) -> Result<HttpResponse, Problem> {
    require(principal, Scope::CatalogRead)?;
    let page = query.page(snapshot, now);
    let body = render(&page, snapshot, |movie, body| {
        let stale_since = snapshot.stale_since(movie.movie_id);
        movie.editorial(stale_since).and_then(|movie| serde_json::to_writer(body, &movie))
    })
    .map_err(Problem::internal)?;
    let etag = etag(snapshot.position(), &body);
    Ok(Document::private(Bytes::from(body), etag).respond(request))
}

fn read_query(query: &str) -> Result<ListQuery, Problem> {
    let mut parameters = Parameters::of(query);
    let text = parameters.take("q", |q| Title::parse(q).map(|title| title.key()));
    let genre = parameters.take("genre", |genre| match genre.trim().chars().count() {
        1..=MAX_GENRE_CHARS => Ok(genre.trim().to_lowercase()),
        _ => Err(format!("must have 1 to {MAX_GENRE_CHARS} characters")),
    });
    let language = parameters.take("language", LanguageCode::parse);
    let sort = parameters.take("sort", |sort| {
        Sort::parse(sort).ok_or_else(|| format!("must be one of {}", Sort::ALLOWED))
    });
    let limit = parameters.take("limit", |limit| {
        limit
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| format!("must be a whole number from 1 to {MAX_LIMIT}"))
    });
    let any_visibility = parameters.take("visibility", |visibility| match visibility {
        "any" => Ok(true),
        _ => Err("must be any, or not be there"),
    });
    let cursor = parameters.take("cursor", str::parse::<Cursor>);
    let mut query = ListQuery {
        text,
        genre,
        language,
        sort: sort.unwrap_or_default(),
        after: None,
        limit: limit.unwrap_or(DEFAULT_LIMIT),
        any_visibility: any_visibility.unwrap_or(false),
    };
    if let Some(cursor) = cursor {
        if cursor.fingerprint != query.fingerprint() {
            parameters.error("cursor", "belongs to a list with other parameters");
        }
        query.after = Some(cursor);
    }
    parameters.finish()?;
    Ok(query)
}

/// `{"items":[...],"total":n,"next_cursor":...,"position":n}` around what is rendered already.
fn render(
    page: &Page,
    snapshot: &Snapshot,
    item: impl Fn(&CatalogMovie, &mut Vec<u8>) -> serde_json::Result<()>,
) -> serde_json::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(
        page.items.iter().map(|movie| movie.document.len() + 256).sum::<usize>() + 256,
    );
    body.extend_from_slice(b"{\"items\":[");
    for (index, movie) in page.items.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        item(movie, &mut body)?;
    }
    // A cursor is base64url: nothing in it needs escaping.
    let next_cursor =
        page.next.as_ref().map_or_else(|| "null".to_owned(), |cursor| format!("\"{cursor}\""));
    let rest = format!(
        "],\"total\":{},\"next_cursor\":{next_cursor},\"position\":{}}}",
        page.total,
        snapshot.position()
    );
    body.extend_from_slice(rest.as_bytes());
    Ok(body)
}
