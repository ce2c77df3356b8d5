package pipeline

/**
 * Runs a Jenkinsfile on the real CPS engine, with steps that act on a real cluster; the log goes to stdout.
 * SIGTERM aborts the build the way an abort in Jenkins does: its steps are stopped and its pods deleted.
 */
class Main {
    private static final String USAGE = 'pipeline.Main --home DIR --job NAME [--build-number N] [--plugin 1.29|4238] ' +
        '[--library NAME=DIR ...] [--untrusted-library NAME=DIR ...] [--scm DIR] [--credentials FILE] ' +
        '[--env K=V ...] [--param K=V ...] JENKINSFILE'

    static void main(String[] args) {
        Build build = new Build(parse(args.toList()), System.out)
        Thread runner = Thread.currentThread()
        Thread abort = new Thread({ build.abort(); runner.join(120_000) })
        Runtime.runtime.addShutdownHook(abort)
        String result = build.run()
        build.log.line("Finished: $result")
        Runtime.runtime.halt(result in ['SUCCESS', 'UNSTABLE'] ? 0 : 1)
    }

    private static Map<String, Object> parse(List<String> args) {
        Map<String, Object> options = [home: null, job: null, number: '1', plugin: '4238', scm: null, credentials: null,
            library: [:], 'untrusted-library': [:], env: [:], param: [:], jenkinsfile: args ? args.last() : null]
        args.dropRight(1).collate(2).each { List<String> pair ->
            String name = pair[0] == '--build-number' ? 'number' : pair[0] - '--'
            List<String> parts = pair[1]?.split('=', 2)?.toList()
            if (!parts || !options.containsKey(name) || (options[name] instanceof Map && parts.size() < 2)) {
                throw new IllegalArgumentException("${pair.join(' ')}? $USAGE")
            }
            options[name] = options[name] instanceof Map ? options[name] + [(parts[0]): parts[1]] : pair[1]
        }
        if (!options.home || !options.job) { throw new IllegalArgumentException(USAGE) }
        return options
    }
}
