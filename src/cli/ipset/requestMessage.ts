import { IPSET_CMD } from '../../ipset/constants.ts';
import {
  createMessage,
  destroyMessage,
  elementMessage,
  plainMessage,
  twoNamesMessage,
} from '../../ipset/messages.ts';
import type { SetTypeName } from '../../ipset/setType.ts';
import type { Draft } from './draft.ts';

/** What a request says beside its draft. */
export interface RequestOptions {
  readonly protocol: number;
  /** `-exist` */
  readonly exist: boolean;
  /** Line of the restore file; 0 outside of one. */
  readonly line: number;
}

/** The request of a command that is no listing. */
export function requestMessage(
  command: number,
  draft: Draft,
  { protocol, exist, line }: RequestOptions,
): Uint8Array {
  const { setName, setName2 = '' } = draft;
  switch (command) {
    case IPSET_CMD.CREATE: {
      const { type, revision } = draft.type!;
      const family = draft.family ?? 0;
      const head = { protocol, setName, typeName: type.name as SetTypeName, revision, family };
      return createMessage({ ...head, data: draft }, exist);
    }
    case IPSET_CMD.DESTROY:
      return destroyMessage(protocol, setName, exist);
    case IPSET_CMD.RENAME:
    case IPSET_CMD.SWAP:
      return twoNamesMessage(command, { protocol, setName, setName2 });
    case IPSET_CMD.ADD:
    case IPSET_CMD.DEL:
    case IPSET_CMD.TEST: {
      const data = line === 0 && command !== IPSET_CMD.TEST ? { ...draft, line: 0 } : draft;
      return elementMessage(command, { protocol, setName, data }, exist);
    }
    default:
      return plainMessage(command, { protocol, setName });
  }
}
