// A movie's signed address, with a token that is renewed as it goes: the part to take over into a player of your own.
// docs/playback.md says why it is as it is.

// Where in the path the token is; what comes after it stays the same with every token.
const TOKEN_SEGMENT = /^\/hdnts=[^/]*/;
// A token is not used in its last second: its request has to arrive, too.
const MARGIN_MS = 1000;
// What is fetched waits for the token: no longer than what was fetched before lasts.
const PATIENCE_MS = 5000;

export class StreamToken {
  #api;
  #movieId;
  #headers;
  #sessionId;
  #current;
  #renewal;

  /** `accessToken`: the viewer's, if there is one. */
  constructor(api, movieId, accessToken) {
    this.#api = api;
    this.#movieId = movieId;
    this.#headers = { 'Content-Type': 'application/json' };
    if (accessToken) this.#headers.Authorization = `Bearer ${accessToken}`;
  }

  /** The master playlist's address. */
  async url() {
    return (await this.#usable()).url;
  }

  /** Any address below it, with the token of now: to be called for every request. */
  async readdress(address) {
    const [to, from] = [new URL(await this.url()), new URL(address)];
    const [token] = to.pathname.match(TOKEN_SEGMENT) ?? [];
    if (!token || from.origin !== to.origin || !TOKEN_SEGMENT.test(from.pathname)) return address;
    from.pathname = from.pathname.replace(TOKEN_SEGMENT, () => token);
    return from.href;
  }

  // Looked at when a request is made, not by a timer: a tab that slept is no special case. A renewal that fails does no harm
  // while the current token lives, and is tried again by the next request.
  async #usable() {
    if (this.#current && performance.now() < this.#current.refreshAt) return this.#current;
    this.#renewal ??= this.#ask().finally(() => (this.#renewal = null));
    try {
      return await this.#renewal;
    } catch (error) {
      if (this.#current && performance.now() < this.#current.expiresAt) return this.#current;
      throw error;
    }
  }

  async #ask() {
    const asked = performance.now();
    const answer = await fetch(`${this.#api}/v1/movies/${encodeURIComponent(this.#movieId)}/stream-tokens`, {
      method: 'POST',
      headers: this.#headers,
      body: JSON.stringify(this.#sessionId ? { session_id: this.#sessionId } : {}),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const token = await answer.json();
    if (!answer.ok) throw new Error(`${token.title} (${token.code})`);
    this.#sessionId = token.session_id;
    // The viewer's clock may be wrong, the server's says which time it is there: in whole seconds, so up to one later.
    const serverNow = Date.parse(answer.headers.get('Date') ?? '') + 1000 || Date.now();
    const at = (time) => asked + Date.parse(time) - serverNow;
    this.#current = {
      id: token.token_id,
      url: token.signed_url,
      refreshAt: at(token.refresh_after),
      expiresAt: at(token.expires_at) - MARGIN_MS,
    };
    return this.#current;
  }
}
