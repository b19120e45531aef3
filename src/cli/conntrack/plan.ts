import type { Selection } from './selection.ts';
import type { Session } from './session.ts';

/** --show-plan: says on standard error which comparisons the kernel makes, and which this process. */
export function showPlan({ inKernel, tests }: Selection, session: Session): void {
  const rest = tests.filter((name) => !inKernel.includes(name));
  session.tell(
    `plan: in the kernel: ${inKernel.join(', ') || 'nothing'}; in this process: ${rest.join(', ') || 'nothing'}\n`,
  );
}
