package pipeline

import jenkins.model.Jenkins
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/** The one build of this process: who it is, where its parts are, and how it ends. */
class Build {
    private static final List<String> RESULTS = ['SUCCESS', 'UNSTABLE', 'FAILURE', 'NOT_BUILT', 'ABORTED']
    static Build current
    final Map<String, Object> options
    final Log log
    final Sources sources
    final StepTable steps
    final Branch root = new Branch()
    /** Variables set by `env.X = …`, seen by everything after. */
    final Map<String, String> env = Collections.synchronizedMap([:])
    @Lazy Cluster cluster = new Cluster()
    String result, description, displayName

    Build(Map<String, Object> options, OutputStream console) {
        current = this
        this.options = options
        log = new Log(console)
        sources = new Sources(options, log)
        steps = new StepTable(new FlowSteps(), new NodeSteps(), new FileSteps(), new ShellSteps(),
                              new CredentialSteps())
        displayName = "#$options.number"
        controller()
    }

    /** Runs the Jenkinsfile and returns its result. */
    String run() {
        Throwable failure = null
        log.pipeline('Start of Pipeline')
        try {
            Script script = sources.jenkinsfile(new File(options.jenkinsfile))
            new Program().runScript(script, new Context(branch: root))
        } catch (Throwable thrown) {
            failure = thrown
            worsen(thrown instanceof FlowInterruptedException ? thrown.result : 'FAILURE')
        }
        log.pipeline('End of Pipeline')
        log.failure(failure)
        return result ?: 'SUCCESS'
    }

    /** The controller as its files are now: templates may have been synced since. */
    Jenkins controller() { Jenkins.load(new File(options.home), options.plugin == '1.29' ? '2.277.3' : '2.452.1') }

    void abort() {
        log.line('Aborted')
        root.interrupt(new FlowInterruptedException('Aborted'))
    }

    /** A build's result only ever gets worse. */
    void worsen(String other) {
        if (!(other in RESULTS)) { throw new IllegalArgumentException("No such result: $other") }
        result = other == 'SUCCESS' ? result : RESULTS[Math.max(RESULTS.indexOf(result), RESULTS.indexOf(other))]
    }

    /** What Jenkins tells every build about itself. */
    Map<String, String> identity() {
        String url = 'http://jenkins.invalid/', job = "${url}job/${options.job.replace('/', '/job/')}/"
        return [JOB_NAME: options.job, JOB_BASE_NAME: options.job.tokenize('/').last(), BUILD_NUMBER: options.number,
                BUILD_ID: options.number, BUILD_DISPLAY_NAME: displayName, JENKINS_URL: url, HUDSON_URL: url,
                BUILD_TAG: "jenkins-${options.job.replace('/', '-')}-$options.number".toString(),
                JOB_URL: job, BUILD_URL: "$job$options.number/".toString(), CI: 'true'] + options.env +
            options.param.collectEntries { name, value -> [name, value.toString()] }
    }

    /** What processes of the build get beside their container's own environment. */
    Map<String, String> exported(Context context) {
        return identity() + (context.agent?.variables(context) ?: [:]) + env + context.env
    }

    /** What pipeline code sees as env. */
    Map<String, String> environment(Context context) { (context.agent?.processEnvironment ?: [:]) + exported(context) }
}
