/// What each family of metrics means, in one sentence; the page *Metrics* says what is normal and what to do when it is not.
enum MetricHelp {
    static let texts: [String: String] =
        clients.merging(messages) { $1 }.merging(redis) { $1 }.merging(others) { $1 }.merging(archive) { $1 }

    private static let clients = [
        "martlet_connections": "WebSockets open at this moment.",
        "martlet_guests": "Of these, clients without a user that speak the gateway's own protocol.",
        "martlet_dialect_connections": "WebSockets open at this moment, by what their clients speak.",
        "martlet_dialect_connections_closed_total":
            "Connections that ended, by what their clients speak and the code that was sent; client where it ended it.",
        "martlet_sockets_accepted_total": "WebSockets opened so far.",
        "martlet_handshakes_refused_total": "Handshakes refused, by reason.",
        "martlet_connections_closed_total": "Connections that ended, by close code; client where the client ended it.",
        "martlet_connect_seconds": "From the accept of a socket to its welcome, handshake, token and session included.",
        "martlet_resumes_total": "Clients that came with an earlier session, by whether it was resumed, and why not.",
        "martlet_tokens_checked_total": "Tokens of clients, by what came of them.",
        "martlet_authorize_questions_total": "Questions to the backend that decides, by action and what came of them.",
        "martlet_authorize_calls_total": "Calls of that backend, by whether they had an answer that counts.",
        "martlet_authorize_call_duration_seconds": "From a call of that backend to its answer or failure.",
        "martlet_authorize_waiting": "Questions to that backend that wait for somebody else's call, or in line.",
        "martlet_authorize_under_way": "Calls of that backend without an answer.",
        "martlet_certificate_expiry_timestamp_seconds": "When a port's certificate ends, in seconds since 1970.",
        "martlet_budget_waits_total": "Frames that waited until their client had paid off what it owed.",
        "martlet_budget_refusals_total": "Requests refused because their client owed too much.",
        "martlet_slow_connections_total": "Clients that read too slowly, by what was done about it.",
        "martlet_signals_dropped_total": "Signals dropped because their receiver did not read.",
        "martlet_outbound_queue_bytes": "Bytes that wait for clients to read them.",
        "martlet_outbound_queue_worst_bytes": "Bytes that wait for the client that reads worst, of each client loop.",
        "martlet_catch_up_bytes": "Bytes of missed messages, held or asked for, of clients that are being caught up.",
        "martlet_event_loop_turn_seconds_max": "The longest turn of each client loop in the last minute.",
        "martlet_event_loop_lag_seconds": "How late the ticks of the client loops come.",
    ]

    private static let messages = [
        "martlet_messages_published_total": "Messages for Redis, by what came of them.",
        "martlet_messages_delivered_total": "Messages written to sockets, one for each receiver.",
        "martlet_dialect_messages_delivered_total":
            "Messages written to sockets, by what their clients speak, one for each receiver.",
        "martlet_messages_given_up_total": "Messages that a loop too far behind has replaced by a gap.",
        "martlet_socket_frames_received_total": "Frames received from clients.",
        "martlet_dialect_frames_received_total": "Frames received from clients, by what these speak.",
        "martlet_socket_bytes_sent_total": "Bytes of frames sent to clients.",
        "martlet_publish_to_deliver_seconds":
            "From Redis's clock until a message is written to its members, the clocks' difference taken out.",
        "martlet_fanout_seconds": "From the arrival of a message at the node until it is written to its members.",
        "martlet_pubsub_lag_seconds": "From Redis's clock until a message has come over its channel.",
        "martlet_room_catch_ups_total": "Holes in rooms' streams that were fetched from the log.",
        "martlet_room_gaps_total": "Losses of a room's messages that were told to its members.",
        "martlet_room_epochs_total": "Times that a room went on under a new epoch, and nothing was lost.",
        "martlet_channel_repeats_total": "Messages dropped because they came twice.",
        "martlet_channel_unreadable_total": "What came over Redis's channels and was not understood.",
    ]

    private static let redis = [
        "martlet_redis_up": "1 while all that the node needs of Redis is in place.",
        "martlet_redis_partitions_answering":
            "How many of the 64 partitions take commands and carry what is published.",
        "martlet_redis_memory_used_bytes": "What Redis takes of its memory; of a Cluster the fullest server.",
        "martlet_redis_memory_budget_bytes": "From what on messages are refused; 0 where nothing is.",
        "martlet_redis_command_duration_seconds": "From the call of a script to its answer, waiting included.",
        "martlet_redis_command_errors_total": "Calls of a script that failed, or that Redis refused.",
        "martlet_redis_commands_waiting": "Calls of a script without an answer at this moment.",
        "martlet_canary_age_seconds": "Since when nothing that the node sent itself through Redis came back.",
        "martlet_node_lease_seconds": "What is left of the node's lease; at 0 the others take it for dead.",
        "martlet_coordinated_partitions": "Partitions that this node looks after; those of all nodes are 64.",
        "martlet_holders_swept_total": "Dead nodes' incarnations swept out of a partition by this node.",
        "martlet_ghosts_swept_total": "Connections and places of dead nodes that this node has taken away.",
        "martlet_presence_repairs_total":
            "Connections and places on which Redis and this node did not agree, and which were mended.",
    ]

    private static let others = [
        "martlet_build_info": "1, with what this node is.",
        "martlet_node_info": "1, with the name of this node.",
        "martlet_memory_held_bytes": "Bytes that wait, by what they wait for.",
        "martlet_memory_budget_bytes": "How much may wait in all.",
        "martlet_memory_trims_total": "How often memory was given back to the system after a peak.",
        "martlet_webhook_requests_total": "Requests to a webhook, by result.",
        "martlet_webhook_events_total": "Events for a webhook, by what came of them.",
        "martlet_webhook_lag": "Events that wait for a webhook in the partitions of this node.",
        "martlet_webhook_request_duration_seconds": "From a request to a webhook to its answer or failure.",
        "martlet_trace_spans_total": "Spans for a collector of traces, by what came of them.",
        "martlet_api_requests_total": "Requests of the api port, by route, method and status.",
        "martlet_api_request_duration_seconds": "From the head of a request of the api port to its answer, by route.",
        "martlet_api_connections_given_way_total": "Resting connections of the api port closed to make room.",
        "martlet_metrics_dropped_total": "Times that something was to be counted of which there are too many series.",
        "process_cpu_seconds_total": "Processor time used, by all threads.",
        "process_start_time_seconds": "When the process began, in seconds since 1970.",
        "process_resident_memory_bytes": "Memory in use.",
        "process_open_fds": "Descriptors in use.",
        "process_max_fds": "Descriptors that the system allows.",
    ]

    private static let archive = [
        "martlet_archive_reads_total": "Pages of history that reach into the archive, by result.",
        "martlet_archive_read_seconds": "How long such a page takes.",
        "martlet_archive_rows_total": "Messages written to the archive.",
        "martlet_archive_batches_total": "Transactions in which they were written.",
        "martlet_archive_filled_total": "Messages that the stream lacked and a room's log had.",
        "martlet_archive_gaps_total": "Gaps that neither stream nor log could fill.",
        "martlet_archive_lost_total": "Messages in those gaps.",
        "martlet_archive_pruned_total": "Messages taken out because they were older than archive.keep.",
        "martlet_archive_retries_total": "Failures that were tried again, by what failed.",
        "martlet_archive_lag_messages": "Messages that wait in the worker's partitions.",
        "martlet_archive_lag_seconds": "For how long the oldest of them has waited.",
        "martlet_archive_backlog_ratio": "How full the fullest stream is, of archive.backlog.",
        "martlet_archive_partitions": "Partitions that the worker has.",
        "martlet_archive_redacted_total": "Payloads taken away.",
        "martlet_archive_outbox_total": "Rows of the outbox, by result: sent, or refused for what they say.",
        "martlet_archive_write_seconds": "How long a transaction takes.",
    ]
}
