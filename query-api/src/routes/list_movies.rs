//! `GET /v1/movies`: what viewers see now; with `visibility=any` and `catalog:read`, everything.

use std::{io, sync::Arc};

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use marquee_domain::values::LanguageCode;
use marquee_infra::{
    clock,
    http::{CommonProblems, MaybePrincipal, Problem, ProblemBody, ProblemCode, Scope},
};

use super::{
    Reads, conditional,
    fields::Fields,
    openapi::{ListAnswer, ListParameters, ReadHeaders, SessionHeaders},
    page_cache::Rendered,
    parameters::Parameters,
    require,
};
use crate::catalog::{
    CatalogMovie, CursorKey, Facets, ListQuery, NotKept, Page, SearchText, Sort, etag,
};

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;
const MAX_GENRE_CHARS: usize = 50;

/// The catalog, page by page
///
/// Viewers get what is VISIBLE, inside its availability window now, and playable. With
/// `visibility=any`, `catalog:read` gets all but removed movies, with more members.
///
/// All pages are of the catalog that the first one is of: they never repeat or skip a movie, and have
/// one `total`, whatever changes meanwhile. Only what viewers may not see any more is left out.
#[utoipa::path(
    get, path = "/v1/movies", tag = "catalog",
    params(ListParameters, ReadHeaders, SessionHeaders),
    responses(
        (status = 200, description = "A page; ETag and Cache-Control say how long it is good for", body = ListAnswer),
        (status = 304, description = "It still has the ETag of If-None-Match"),
        (status = 410, description = "cursor_expired: the catalog that the cursor is of is not kept any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "insufficient_scope: visibility=any needs catalog:read", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
    security((), ("bearer" = ["catalog:read"])),
)]
pub(super) async fn list_movies(
    request: HttpRequest,
    reads: web::Data<Reads>,
    principal: MaybePrincipal,
) -> Result<HttpResponse, Problem> {
    let mut snapshot = reads.snapshot(&request).await?;
    // What viewers get is the same for all of them, and only that is ever put there.
    let key = request.uri().path_and_query().map_or("", |path| path.as_str());
    let now = clock::now();
    let current = snapshot.at(now);
    if let Some(rendered) = reads.pages.get(key, &**current) {
        return Ok(conditional::public(
            &request,
            &rendered,
            &reads.freshness,
            current.next_edge(),
            now,
        ));
    }

    let List { query, fields } = List::read(request.query_string(), &reads.cursors)?;
    if query.any_visibility {
        require(&principal, Scope::CatalogRead)?;
    }
    let query = Arc::new(query);
    // Another process may have given the cursor out, and be further than this one.
    if let Some(cursor) = &query.after
        && reads.catalog.wait_for_cursor(cursor, reads.patience.0).await
    {
        snapshot = reads.snapshot(&request).await?;
    }
    let now = clock::now();
    let current = Arc::clone(snapshot.at(now));
    let page = if query.text.is_some() {
        // What is found is looked at and sorted, however much it is: not on a thread that serves requests.
        let (query, current) = (Arc::clone(&query), Arc::clone(&current));
        web::block(move || query.page(&current)).await.map_err(Problem::internal)?
    } else {
        query.page(&current)
    };
    let page = page.map_err(refuse)?;
    let body = render(&page, &reads.cursors, |movie| {
        let movie = if query.any_visibility {
            let stale_since = current.stale_since(movie.movie_id);
            serde_json::to_vec(&movie.editorial(stale_since)?)?
        } else {
            movie.document()?
        };
        Ok(match &fields {
            Some(fields) => fields.pick(&movie)?,
            None => movie,
        })
    })
    .map_err(Problem::internal)?;
    if query.any_visibility {
        let etag = etag(page.position, &body);
        return Ok(conditional::private(&request, Bytes::from(body), etag));
    }
    let rendered = reads.pages.put(key, Rendered::list(&current, body));
    Ok(conditional::public(&request, &rendered, &reads.freshness, current.next_edge(), now))
}

fn refuse(why: NotKept) -> Problem {
    match why {
        NotKept::Forgotten => Problem::new(
            ProblemCode::CursorExpired,
            "the catalog that the cursor is of is not kept any more: begin again without a cursor",
        ),
        NotKept::NotYet => Problem::new(
            ProblemCode::NotYetProjected,
            "the catalog that the cursor is of is not readable here yet",
        )
        .with_retry_after(1),
    }
}

/// What is asked for.
struct List {
    query: ListQuery,
    fields: Option<Fields>,
}

impl List {
    fn read(query: &str, cursors: &CursorKey) -> Result<Self, Problem> {
        let mut parameters = Parameters::of(query);
        let text = parameters.take("q", SearchText::parse);
        let mut facets = Facets::default();
        let genre = parameters.take("genre", |genre| match genre.trim().chars().count() {
            1..=MAX_GENRE_CHARS => Ok(genre.trim().to_owned()),
            _ => Err(format!("must have 1 to {MAX_GENRE_CHARS} characters")),
        });
        if let Some(genre) = genre {
            facets = facets.with_genre(&genre);
        }
        if let Some(language) = parameters.take("language", LanguageCode::parse) {
            facets = facets.with_language(language);
        }
        let sort = parameters.take("sort", Sort::parse);
        if sort == Some(Sort::Relevance) && text.is_none() {
            parameters.error("sort", "relevance needs q");
        }
        let default = if text.is_some() { Sort::Relevance } else { Sort::Title };
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
        let any_visibility = any_visibility.unwrap_or(false);
        let fields = parameters.take("fields", |names| Fields::parse(names, any_visibility));
        let cursor = parameters.take("cursor", |cursor| cursors.open(cursor));
        let mut query = ListQuery {
            text,
            facets,
            sort: sort.unwrap_or(default),
            after: None,
            limit: limit.unwrap_or(DEFAULT_LIMIT),
            any_visibility,
        };
        if let Some(cursor) = cursor {
            if !query.owns(&cursor) {
                parameters.error("cursor", "belongs to a list with other parameters");
            }
            query.after = Some(cursor);
        }
        parameters.finish()?;
        Ok(Self { query, fields })
    }
}

/// `{"items":[...],"total":n,"next_cursor":...,"position":n}` around movies as JSON.
fn render(
    page: &Page,
    cursors: &CursorKey,
    movie_as_json: impl Fn(&CatalogMovie) -> io::Result<Vec<u8>>,
) -> io::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(
        page.items.iter().map(|movie| movie.document_bytes() + 1).sum::<usize>() + 1_024,
    );
    body.extend_from_slice(b"{\"items\":[");
    for (index, movie) in page.items.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&movie_as_json(movie)?);
    }
    // A cursor is base64url: nothing in it needs escaping.
    let next_cursor = match &page.next {
        Some(cursor) => format!("\"{}\"", cursors.sign(cursor)?),
        None => "null".to_owned(),
    };
    let rest = format!(
        "],\"total\":{},\"next_cursor\":{next_cursor},\"position\":{}}}",
        page.total, page.position
    );
    body.extend_from_slice(rest.as_bytes());
    Ok(body)
}
