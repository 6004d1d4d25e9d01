/** The package has no types of its own. */
declare module 'spdx-expression-parse' {
  namespace parse {
    type Info =
      | { readonly license: string; readonly plus?: true; readonly exception?: string }
      | { readonly left: Info; readonly conjunction: 'and' | 'or'; readonly right: Info };
  }
  /** Throws when it is no expression of SPDX identifiers. */
  function parse(expression: string): parse.Info;
  export = parse;
}
