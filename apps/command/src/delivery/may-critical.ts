/** Whether a vehicle's token lets it take critical commands. */
export function mayCritical({ claims }: { readonly claims: { readonly scope: string } }): boolean {
  return claims.scope.split(' ').includes('command:critical');
}
