# frozen_string_literal: true

module Auth
  class SessionsController < ApplicationController
    def new; end
  end
end
