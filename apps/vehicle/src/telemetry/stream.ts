/** The one stream this agent fills. */
export const STREAM = 'main';
