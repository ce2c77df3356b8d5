package pipeline

/** The variables that exist in every script: env, currentBuild, params, scm, steps, and the libraries' own. */
class Globals {
    private static final List<String> BUILT_IN = ['currentBuild', 'env', 'params', 'scm', 'steps']

    static boolean exists(String name) {
        return (name in BUILT_IN && !(name == 'scm' && !Build.current.options.scm)) || name in Build.current.sources.variables
    }

    static List<String> names() { (BUILT_IN + Build.current.sources.variables).unique().sort() }

    static Object get(String name, Script script) {
        switch (name) {
            case 'env': return new Environment()
            case 'currentBuild': return new CurrentBuild()
            case 'params': return [:]
            case 'scm': return new Scm()
            case 'steps': return new Steps()
            default: return variable(name, script)
        }
    }

    /** As in Jenkins, one instance per calling script, kept in its binding. */
    private static Object variable(String name, Script script) {
        if (!script.binding.hasVariable(name)) {
            script.binding.setVariable(name, Build.current.sources.variable(name))
        }
        return script.binding.getVariable(name)
    }

    /** Names are looked up when used, in the context of the running code. */
    static class Environment extends GroovyObjectSupport implements Serializable {
        @Override
        Object getProperty(String name) {
            return name == 'environment' ? getEnvironment() : getEnvironment().get(name)
        }

        @Override
        void setProperty(String name, Object value) {
            if (value == null) {
                Build.current.env.remove(name)
            } else {
                Build.current.env[name] = value.toString()
            }
        }

        Map<String, String> getEnvironment() { Build.current.environment(Context.current) }
    }

    static class CurrentBuild implements Serializable {
        int getNumber() { Build.current.options.number as int }

        String getResult() { Build.current.result }

        void setResult(String result) { Build.current.worsen(result) }

        String getCurrentResult() { Build.current.result ?: 'SUCCESS' }

        String getDescription() { Build.current.description }

        void setDescription(String text) { Build.current.description = text }

        String getDisplayName() { Build.current.displayName }

        void setDisplayName(String name) { Build.current.displayName = name }

        String getProjectName() { Build.current.options.job }

        String getFullDisplayName() { "$projectName $displayName" }

        String getAbsoluteUrl() { Build.current.identity().BUILD_URL }
    }

    /** What `checkout scm` is given. */
    static class Scm implements Serializable { }

    static class Steps extends GroovyObjectSupport implements Serializable {
        @Override
        Object invokeMethod(String name, Object args) { PipelineScript.callStep(name, args) }
    }
}
