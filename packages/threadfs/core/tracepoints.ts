/**
 * Tracepoints: named places that the debug build reports to the host; the shipping build has none. The numbers are
 * those of POINT in abi/abi.ts, where each is described.
 */
import { point } from "./host";

export const P_WALK_START: i32 = 1;
export const P_COMPONENT: i32 = 2;
export const P_FOUND: i32 = 3;
export const P_MISS: i32 = 4;
export const P_SEQ_OPENED: i32 = 5;
export const P_COMPARED: i32 = 6;
export const P_PARENT_CHECK: i32 = 7;
export const P_MOUNT_DOWN: i32 = 8;
export const P_MOUNT_UP: i32 = 9;
export const P_DOTDOT: i32 = 10;
export const P_PERMISSION: i32 = 11;
export const P_LINK: i32 = 12;
export const P_DROP: i32 = 13;
export const P_DROPPED: i32 = 14;
export const P_RESTART: i32 = 15;
export const P_ANSWER: i32 = 16;
export const P_ATTR_COPIED: i32 = 17;
export const P_COMPLETE: i32 = 18;
export const P_LOCKED_LOOKUP: i32 = 19;
export const P_UNLAZY_HALF: i32 = 20;
export const P_MOUNT_CHECK: i32 = 21;
export const P_START_READ: i32 = 22;
export const P_NAME_READ: i32 = 23;
export const P_MOVE_BEGIN: i32 = 40;
export const P_MOVE_NAMES: i32 = 41;
export const P_MOVE_END: i32 = 42;
export const P_DROPPED_HASH: i32 = 43;
export const P_INSTANTIATE: i32 = 44;
export const P_UNLINK_INODE: i32 = 45;
export const P_SPLIT: i32 = 46;
export const P_ALLOCATED: i32 = 47;
export const P_KILL: i32 = 48;
export const P_MOUNT_ATTACH: i32 = 49;
export const P_MOUNT_DETACH: i32 = 50;

/**
 * POINTS is a constant of the build (asconfig.json): 1 in the debug build, 0 in the shipping one, where no instruction
 * remains.
 */
export function tracepoint(id: i32, a: usize, b: usize): void {
  if (POINTS) point(id, <u32>a, <u32>b);
}
