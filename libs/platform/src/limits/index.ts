export { type LimitState, type RateLimitHeaders, rateLimitHeaders } from './rate-limit-headers.js';
export { type Bucket, fullBucket, giveBack, type Rate, refill, take } from './token-bucket.js';
