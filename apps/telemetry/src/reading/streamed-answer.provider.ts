/** Shared with other services by now; kept under its name for the slices that stream. */
export { accepted, failureOf, ndjson, StreamedAnswer, sse } from '@outrider/platform/http';
