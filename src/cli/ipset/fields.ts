/**
 * What a command may be given, by its name in the draft, in the order in which ipset(8) checks it. The
 * number is the one that its messages name it by (enum ipset_opt).
 */
export const fieldNumbers = {
  ip: 4,
  ipTo: 5,
  cidr: 6,
  mark: 7,
  port: 8,
  portTo: 9,
  ether: 24,
  name: 25,
  ip2: 27,
  cidr2: 28,
  ip2To: 29,
  protocol: 30,
  iface: 31,
} as const;

export type Field = keyof typeof fieldNumbers;

export const fields = Object.keys(fieldNumbers) as readonly Field[];
