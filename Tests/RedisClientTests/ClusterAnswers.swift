/// What real servers said: Redis 7.0.15, and Valkey 9.1.2. `|` stands for the end of a line of the protocol.
///
/// Three primaries and a replica of the first; its slot 100 went to the second.
enum ClusterAnswers {
    struct Answer {
        /// To `CLUSTER NODES`.
        let nodes: String
        /// To `CLUSTER SLOTS`.
        let slots: String
    }

    /// Redis: the third was asked.
    static let redis = Answer(
        nodes: """
            dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd 127.0.0.1:17411@27411 master - 0 1795980746789 1 connected \
            0-99 101-5460
            e65b814e69d726e5a389dee75c919a803d5404ad 127.0.0.1:17413@27413 myself,master - 0 1795980746000 0 \
            connected 10923-16383
            a79f5439b0f268f9962a1aa90ae070564395da4d 127.0.0.1:17414@27414 slave \
            dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd 0 1795980746587 1 connected
            839647876cba1c5d3a7b1060346e19eeada2cbd6 127.0.0.1:17412@27412 master - 0 1795980746789 3 connected \
            100 5461-10922
            """,
        slots: """
            *5|*4|:0|:99|*4|$9|127.0.0.1|:17411|$40|dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd|*0|*4|$9|127.0.0.1|\
            :17414|$40|a79f5439b0f268f9962a1aa90ae070564395da4d|*0|*3|:100|:100|*4|$9|127.0.0.1|:17412|$40|\
            839647876cba1c5d3a7b1060346e19eeada2cbd6|*0|*4|:101|:5460|*4|$9|127.0.0.1|:17411|$40|\
            dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd|*0|*4|$9|127.0.0.1|:17414|$40|\
            a79f5439b0f268f9962a1aa90ae070564395da4d|*0|*3|:5461|:10922|*4|$9|127.0.0.1|:17412|$40|\
            839647876cba1c5d3a7b1060346e19eeada2cbd6|*0|*3|:10923|:16383|*4|$9|127.0.0.1|:17413|$40|\
            e65b814e69d726e5a389dee75c919a803d5404ad|*0|
            """)

    /// Valkey: the third was asked.
    static let valkey = Answer(
        nodes: """
            f31dabb4fe3799a4645df7f7810710048f0d7ce7 127.0.0.1:17421@27421 master - 0 1795980773126 0 connected \
            0-99 101-5460
            e873c56b2fec6b7cac1803fb8a8f6dd9bfc840de 127.0.0.1:17424@27424 slave \
            f31dabb4fe3799a4645df7f7810710048f0d7ce7 0 1795980772825 0 connected
            7b06e8820e42622e39117a119aacae441f7da958 127.0.0.1:17422@27422 master - 0 1795980773126 3 connected \
            100 5461-10922
            7ac8868fde436a23c63c4c2c511b6b858fda4352 127.0.0.1:17423@27423 myself,master - 0 0 1 connected \
            10923-16383
            """,
        slots: """
            *5|*3|:0|:99|*4|$9|127.0.0.1|:17421|$40|f31dabb4fe3799a4645df7f7810710048f0d7ce7|*0|*3|:100|:100|*4|\
            $9|127.0.0.1|:17422|$40|7b06e8820e42622e39117a119aacae441f7da958|*0|*3|:101|:5460|*4|$9|127.0.0.1|\
            :17421|$40|f31dabb4fe3799a4645df7f7810710048f0d7ce7|*0|*3|:5461|:10922|*4|$9|127.0.0.1|:17422|$40|\
            7b06e8820e42622e39117a119aacae441f7da958|*0|*3|:10923|:16383|*4|$9|127.0.0.1|:17423|$40|\
            7ac8868fde436a23c63c4c2c511b6b858fda4352|*0|
            """)

    /// Redis before that: slot 0 is on the move from the first, which was asked, to the second.
    static let redisMoving = Answer(
        nodes: """
            a79f5439b0f268f9962a1aa90ae070564395da4d 127.0.0.1:17414@27414 slave \
            dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd 0 1795980744076 1 connected
            e65b814e69d726e5a389dee75c919a803d5404ad 127.0.0.1:17413@27413 master - 0 1795980743774 0 connected \
            10923-16383
            839647876cba1c5d3a7b1060346e19eeada2cbd6 127.0.0.1:17412@27412 master - 0 1795980743774 3 connected \
            5461-10922
            dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd 127.0.0.1:17411@27411 myself,master - 0 1795980743000 1 \
            connected 0-5460 [0->-839647876cba1c5d3a7b1060346e19eeada2cbd6]
            """,
        slots: """
            *3|*3|:0|:5460|*4|$9|127.0.0.1|:17411|$40|dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd|*0|*3|:5461|\
            :10922|*4|$9|127.0.0.1|:17412|$40|839647876cba1c5d3a7b1060346e19eeada2cbd6|*0|*3|:10923|:16383|*4|\
            $9|127.0.0.1|:17413|$40|e65b814e69d726e5a389dee75c919a803d5404ad|*0|
            """)

    /// The same of Valkey, and the second was asked.
    static let valkeyMoving = Answer(
        nodes: """
            e873c56b2fec6b7cac1803fb8a8f6dd9bfc840de 127.0.0.1:17424@27424 slave \
            f31dabb4fe3799a4645df7f7810710048f0d7ce7 0 1795980771128 0 connected
            7b06e8820e42622e39117a119aacae441f7da958 127.0.0.1:17422@27422 myself,master - 0 0 3 connected \
            5461-10922 [0-<-f31dabb4fe3799a4645df7f7810710048f0d7ce7]
            7ac8868fde436a23c63c4c2c511b6b858fda4352 127.0.0.1:17423@27423 master - 0 1795980771027 1 connected \
            10923-16383
            f31dabb4fe3799a4645df7f7810710048f0d7ce7 127.0.0.1:17421@27421 master - 0 1795980771027 0 connected \
            0-5460
            """,
        slots: """
            *3|*3|:0|:5460|*4|$9|127.0.0.1|:17421|$40|f31dabb4fe3799a4645df7f7810710048f0d7ce7|*0|*3|:5461|\
            :10922|*4|$9|127.0.0.1|:17422|$40|7b06e8820e42622e39117a119aacae441f7da958|*0|*3|:10923|:16383|*4|\
            $9|127.0.0.1|:17423|$40|7ac8868fde436a23c63c4c2c511b6b858fda4352|*0|
            """)

    /// Redis: the first has a name, the third prefers names.
    static let redisNamed = Answer(
        nodes: """
            dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd 127.0.0.1:17411@27411,redis-a.example master - 0 \
            1795980748798 1 connected 0-99 101-5460
            e65b814e69d726e5a389dee75c919a803d5404ad 127.0.0.1:17413@27413 myself,master - 0 1795980748000 0 \
            connected 10923-16383
            a79f5439b0f268f9962a1aa90ae070564395da4d 127.0.0.1:17414@27414 slave \
            dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd 0 1795980748597 1 connected
            839647876cba1c5d3a7b1060346e19eeada2cbd6 127.0.0.1:17412@27412 master - 0 1795980748798 3 connected \
            100 5461-10922
            """,
        slots: """
            *5|*4|:0|:99|*4|$15|redis-a.example|:17411|$40|dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd|*2|$2|ip|$9|\
            127.0.0.1|*4|$1|?|:17414|$40|a79f5439b0f268f9962a1aa90ae070564395da4d|*2|$2|ip|$9|127.0.0.1|*3|:100|\
            :100|*4|$1|?|:17412|$40|839647876cba1c5d3a7b1060346e19eeada2cbd6|*2|$2|ip|$9|127.0.0.1|*4|:101|\
            :5460|*4|$15|redis-a.example|:17411|$40|dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd|*2|$2|ip|$9|\
            127.0.0.1|*4|$1|?|:17414|$40|a79f5439b0f268f9962a1aa90ae070564395da4d|*2|$2|ip|$9|127.0.0.1|*3|\
            :5461|:10922|*4|$1|?|:17412|$40|839647876cba1c5d3a7b1060346e19eeada2cbd6|*2|$2|ip|$9|127.0.0.1|*3|\
            :10923|:16383|*4|$1|?|:17413|$40|e65b814e69d726e5a389dee75c919a803d5404ad|*2|$2|ip|$9|127.0.0.1|
            """)

    /// Redis: the third says of nobody where it is.
    static let redisNameless = Answer(
        nodes: """
            dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd 127.0.0.1:17411@27411,redis-a.example master - 0 \
            1795980750809 1 connected 0-99 101-5460
            e65b814e69d726e5a389dee75c919a803d5404ad 127.0.0.1:17413@27413 myself,master - 0 1795980750000 0 \
            connected 10923-16383
            a79f5439b0f268f9962a1aa90ae070564395da4d 127.0.0.1:17414@27414 slave \
            dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd 1795980751109 1795980750608 1 connected
            839647876cba1c5d3a7b1060346e19eeada2cbd6 127.0.0.1:17412@27412 master - 0 1795980750809 3 connected \
            100 5461-10922
            """,
        slots: """
            *5|*4|:0|:99|*4|$-1|:17411|$40|dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd|*4|$2|ip|$9|127.0.0.1|$8|\
            hostname|$15|redis-a.example|*4|$-1|:17414|$40|a79f5439b0f268f9962a1aa90ae070564395da4d|*2|$2|ip|$9|\
            127.0.0.1|*3|:100|:100|*4|$-1|:17412|$40|839647876cba1c5d3a7b1060346e19eeada2cbd6|*2|$2|ip|$9|\
            127.0.0.1|*4|:101|:5460|*4|$-1|:17411|$40|dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd|*4|$2|ip|$9|\
            127.0.0.1|$8|hostname|$15|redis-a.example|*4|$-1|:17414|$40|\
            a79f5439b0f268f9962a1aa90ae070564395da4d|*2|$2|ip|$9|127.0.0.1|*3|:5461|:10922|*4|$-1|:17412|$40|\
            839647876cba1c5d3a7b1060346e19eeada2cbd6|*2|$2|ip|$9|127.0.0.1|*3|:10923|:16383|*4|$-1|:17413|$40|\
            e65b814e69d726e5a389dee75c919a803d5404ad|*2|$2|ip|$9|127.0.0.1|
            """)

    /// Redis: the first is dead, its replica has taken over.
    static let redisFailover = Answer(
        nodes: """
            dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd 127.0.0.1:17411@27411,redis-a.example master,fail - \
            1795980751814 1795980751310 1 disconnected
            e65b814e69d726e5a389dee75c919a803d5404ad 127.0.0.1:17413@27413 myself,master - 0 1795980755000 0 \
            connected 10923-16383
            a79f5439b0f268f9962a1aa90ae070564395da4d 127.0.0.1:17414@27414 master - 0 1795980755343 4 connected \
            0-99 101-5460
            839647876cba1c5d3a7b1060346e19eeada2cbd6 127.0.0.1:17412@27412 master - 0 1795980755343 3 connected \
            100 5461-10922
            """,
        slots: """
            *5|*3|:0|:99|*4|$9|127.0.0.1|:17414|$40|a79f5439b0f268f9962a1aa90ae070564395da4d|*0|*3|:100|:100|*4|\
            $9|127.0.0.1|:17412|$40|839647876cba1c5d3a7b1060346e19eeada2cbd6|*0|*3|:101|:5460|*4|$9|127.0.0.1|\
            :17414|$40|a79f5439b0f268f9962a1aa90ae070564395da4d|*0|*3|:5461|:10922|*4|$9|127.0.0.1|:17412|$40|\
            839647876cba1c5d3a7b1060346e19eeada2cbd6|*0|*3|:10923|:16383|*4|$9|127.0.0.1|:17413|$40|\
            e65b814e69d726e5a389dee75c919a803d5404ad|*0|
            """)

    /// Valkey: the first is dead, its replica has taken over.
    static let valkeyFailover = Answer(
        nodes: """
            f31dabb4fe3799a4645df7f7810710048f0d7ce7 127.0.0.1:17421@27421,redis-a.example master,fail - \
            1795980778150 1795980777647 0 disconnected
            e873c56b2fec6b7cac1803fb8a8f6dd9bfc840de 127.0.0.1:17424@27424 master - 0 1795980781665 4 connected \
            0-99 101-5460
            7b06e8820e42622e39117a119aacae441f7da958 127.0.0.1:17422@27422 master - 0 1795980781665 3 connected \
            100 5461-10922
            7ac8868fde436a23c63c4c2c511b6b858fda4352 127.0.0.1:17423@27423 myself,master - 0 0 1 connected \
            10923-16383
            """,
        slots: """
            *5|*3|:0|:99|*4|$9|127.0.0.1|:17424|$40|e873c56b2fec6b7cac1803fb8a8f6dd9bfc840de|*0|*3|:100|:100|*4|\
            $9|127.0.0.1|:17422|$40|7b06e8820e42622e39117a119aacae441f7da958|*0|*3|:101|:5460|*4|$9|127.0.0.1|\
            :17424|$40|e873c56b2fec6b7cac1803fb8a8f6dd9bfc840de|*0|*3|:5461|:10922|*4|$9|127.0.0.1|:17422|$40|\
            7b06e8820e42622e39117a119aacae441f7da958|*0|*3|:10923|:16383|*4|$9|127.0.0.1|:17423|$40|\
            7ac8868fde436a23c63c4c2c511b6b858fda4352|*0|
            """)

    /// Redis: a server that has met nobody and has no slot.
    static let redisAlone = Answer(
        nodes: """
            dd9e2b0ff4bbe4ed6463cec37e8f422653ef8efd :17411@27411 myself,master - 0 0 0 connected
            """,
        slots: """
            *0|
            """)

    /// `CLUSTER INFO` of Redis, without its statistics.
    static let redisInfo = """
        cluster_state:ok
        cluster_slots_assigned:16384
        cluster_slots_ok:16384
        cluster_slots_pfail:0
        cluster_slots_fail:0
        cluster_known_nodes:4
        cluster_size:3
        cluster_current_epoch:3
        cluster_my_epoch:1
        total_cluster_links_buffer_limit_exceeded:0
        """

    /// The same of Valkey, where two of three are dead.
    static let valkeyDown = """
        cluster_state:fail
        cluster_slots_assigned:16384
        cluster_slots_ok:10921
        cluster_slots_pfail:0
        cluster_slots_fail:5463
        cluster_nodes_pfail:0
        cluster_nodes_fail:2
        cluster_voting_nodes_pfail:0
        cluster_voting_nodes_fail:1
        cluster_known_nodes:4
        cluster_size:3
        cluster_current_epoch:4
        cluster_my_epoch:1
        total_cluster_links_buffer_limit_exceeded:0
        """

    /// `INFO replication` of a primary of Valkey, and its `run_id` before it.
    static let valkeyServer = """
        run_id:4dafbe5c754c9a0a1d05af0cbc81956853d1839c
        # Replication
        role:master
        connected_slaves:1
        slave0:ip=127.0.0.1,port=17424,state=wait_bgsave,offset=0,lag=0,type=replica
        replicas_waiting_psync:0
        master_failover_state:no-failover
        master_replid:094883a94f4279852386cb1d704c2149420476e4
        master_replid2:0000000000000000000000000000000000000000
        master_repl_offset:14
        second_repl_offset:-1
        repl_backlog_active:1
        repl_backlog_size:10485760
        repl_backlog_first_byte_offset:1
        repl_backlog_histlen:14
        """
}
