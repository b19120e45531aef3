/** Addresses, routes and links of this machine (NETLINK_ROUTE), as far as the daemon needs them. */
export * from './address.ts';
export * from './constants.ts';
export * from './link.ts';
export * from './payload.ts';
export * from './request.ts';
export * from './route.ts';
export * from './tree.ts';
