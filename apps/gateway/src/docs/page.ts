/** The page that shows the document: no script, style or picture but our own, nothing to be embedded in, nothing sent anywhere. */

/** Swagger UI draws icons as `data:` pictures in its style sheet; what it styles, it styles by script. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Outrider: the APIs</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<script src="/docs/assets/swagger-ui-bundle.js" defer></script>
<script src="/docs/assets/start.js" defer></script>
</head>
<body>
<noscript>The document itself: <a href="/docs/openapi.json">openapi.json</a></noscript>
<div id="page"></div>
</body>
</html>
`;

/** Nothing can be tried out from here: a page that took tokens would be worth attacking. */
export const START = `SwaggerUIBundle({
  url: '/docs/openapi.json',
  dom_id: '#page',
  deepLinking: true,
  docExpansion: 'none',
  filter: true,
  supportedSubmitMethods: [],
  validatorUrl: null,
  plugins: [() => ({ components: { authorizeBtn: () => null, authorizeOperationBtn: () => null } })],
});
`;
