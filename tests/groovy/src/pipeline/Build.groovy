package pipeline

import jenkins.model.Jenkins
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/** The one build of this process: who it is, where its parts are, and how it ends. */
class Build {
    private static final String VERSION = '2.452.1'
    static Build current

    final Map<String, Object> options
    final Log log
    final Sources sources
    final StepTable steps
    final Branch root = new Branch()
    /** Variables set by `env.X = …`, seen by everything after. */
    final Map<String, String> env = Collections.synchronizedMap([:])
    @Lazy Cluster cluster = new Cluster()
    String result
    String description
    String displayName

    Build(Map<String, Object> options, OutputStream console) {
        this.options = options
        log = new Log(console)
        current = this
        controller()
        sources = new Sources(options.libraries, log)
        steps = new StepTable([new FlowSteps(this), new NodeSteps(this), new FileSteps(this), new ShellSteps(this),
                               new StashSteps(this)])
        displayName = "#$options.number"
    }

    /** Runs the Jenkinsfile and returns the result's name. */
    String run(File jenkinsfile) {
        try {
            log.pipeline('Start of Pipeline')
            Script script = sources.jenkinsfile(jenkinsfile)
            new Program(sources.loader, steps).runScript(script, new Context(branch: root))
        } catch (Throwable failure) {
            worsen(failure instanceof FlowInterruptedException ? failure.result : 'FAILURE')
            log.pipeline('End of Pipeline')
            log.failure(failure)
            return result
        }
        log.pipeline('End of Pipeline')
        return result ?: 'SUCCESS'
    }

    /** The controller as its files are now: templates may have been synced since. */
    Jenkins controller() { Jenkins.load(new File(options.home), VERSION) }

    void abort() { root.interrupt(new FlowInterruptedException('Aborted')) }

    /** A build's result only ever gets worse. */
    void worsen(String other) {
        List<String> order = ['SUCCESS', 'UNSTABLE', 'FAILURE', 'NOT_BUILT', 'ABORTED']
        if (!(other in order)) {
            throw new IllegalArgumentException("No such result: $other")
        }
        result = order[Math.max(order.indexOf(result ?: 'SUCCESS'), order.indexOf(other))]
    }

    /** What Jenkins tells every build about itself. */
    Map<String, String> identity() {
        String number = options.number
        String job = options.job
        String url = 'http://jenkins.invalid/'
        return [JOB_NAME: job, JOB_BASE_NAME: job.tokenize('/').last(), BUILD_NUMBER: number, BUILD_ID: number,
                BUILD_DISPLAY_NAME: displayName, BUILD_TAG: "jenkins-${job.replace('/', '-')}-$number".toString(),
                JENKINS_URL: url, HUDSON_URL: url, JOB_URL: "${url}job/$job/".toString(),
                BUILD_URL: "${url}job/$job/$number/".toString(), CI: 'true'] + (Map<String, String>) options.env
    }

    /** What processes of the build get beside their container's own environment. */
    Map<String, String> exported(Context context) {
        return identity() + (context.agent?.variables(context) ?: [:]) + env + context.env
    }

    /** What pipeline code sees as env. */
    Map<String, String> environment(Context context) {
        return (context.agent?.processEnvironment ?: [:]) + exported(context)
    }
}
