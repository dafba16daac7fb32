// The example's page: plays the movie that its address names, and shows what it asks for.
//
//   /player/?movie=ID&api=https://api.example.com     further: rate=4 plays faster, buffer=12 fetches fewer seconds ahead

import Hls from './hls.min.mjs';
import { StreamToken } from './stream-token.js';

const parameters = new URLSearchParams(location.search);
const video = document.querySelector('video');
const show = (id, text) => (document.getElementById(id).textContent = text);

// For whoever looks on from outside: a test, or the console.
const seen = { requests: [], tokens: new Set(), refused: [], error: null };
window.marquee = { video, seen };

function fail(message) {
  seen.error = String(message);
  show('state', seen.error);
}

const token = new StreamToken(parameters.get('api') ?? 'http://127.0.0.1:8081', parameters.get('movie') ?? '');

const secondsAhead = Number(parameters.get('buffer') ?? 30);
const hls = new Hls({
  // All that hls.js needs to know of tokens.
  async xhrSetup(request, address) {
    const signed = await token.readdress(address);
    watch(request, signed);
    request.open('GET', signed);
  },
  // Segments are small here: else it would fetch minutes ahead.
  maxBufferLength: secondsAhead,
  maxMaxBufferLength: secondsAhead,
});

function watch(request, address) {
  const ended = () => {
    const [, used, path] = new URL(address).pathname.match(/^\/([^/]*)(.*)$/);
    seen.tokens.add(used);
    seen.requests.push(path);
    if (request.status !== 200) seen.refused.push(`${request.status} ${path}`);
    show('requests', `${seen.requests.length} requests with ${seen.tokens.size} tokens, ${seen.refused.length} refused`);
    show('last', path);
  };
  // Not those that hls.js has given up itself.
  request.addEventListener('load', ended);
  request.addEventListener('error', ended);
}

hls.on(Hls.Events.ERROR, (_, error) => error.fatal && fail(`${error.details}: ${error.error?.message ?? ''}`));
hls.on(Hls.Events.MANIFEST_PARSED, () => video.play().catch(fail));
video.addEventListener('ratechange', () => show('rate', `${video.playbackRate}×`));
video.addEventListener('timeupdate', () => {
  show('state', video.paused ? 'paused' : 'plays');
  show('time', `${video.currentTime.toFixed(1)} s of ${video.duration.toFixed(0)} s`);
});

video.defaultPlaybackRate = Number(parameters.get('rate') ?? 1);
hls.subtitleDisplay = true;
hls.attachMedia(video);
token.url().then((address) => hls.loadSource(address), fail);
