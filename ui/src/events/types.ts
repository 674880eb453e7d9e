/** What `/v1/events` sends over its WebSocket. OpenAPI 3.1 describes no WebSockets, so this mirrors EventBody and Marker
 * of the manager's events/schemas.py; tests/manager/platform/test_events.py holds their fields. */
export type EventBody = { seq: number; at: string; type: string; subject_kind: string; subject_id: string; data: Record<string, unknown> }
export type Marker = { type: 'hello' | 'heartbeat' | 'dropped'; seq: number; why?: string | null }
