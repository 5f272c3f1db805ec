# frozen_string_literal: true

Rails.application.routes.draw do
  get 'health', to: 'health#show'

  scope '/auth', module: :auth do
    get 'password/new', to: 'passwords#new', as: :new_user_password
    get 'password/edit', to: 'passwords#edit', as: :edit_user_password
    post 'password', to: 'passwords#create', as: :user_password
    get 'confirmation', to: 'sessions#new', as: :user_confirmation
    get 'sign_in', to: 'sessions#new', as: :new_user_session
  end

  root to: 'auth/sessions#new'
end
